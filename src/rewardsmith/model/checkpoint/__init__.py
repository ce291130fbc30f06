"""A model ↔ its folder: Hugging Face files, `reward.json`, probes, and the manifest. Begin with `sidecar`."""
