"""Raw rows → records, with sources joined, mixed and renamed. Begin with `load`."""
