"""The report on one run: verdict, figures, charts and errors. Begin with `page`."""
