"""A run folder → TensorBoard, MLflow, W&B, Trackio, SwanLab, each from a process of its own. Begin with `following`."""
