"""The model card: its text and the code that it shows. Begin with `page`."""
