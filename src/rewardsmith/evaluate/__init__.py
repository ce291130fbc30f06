"""Arrays of margins and labels → metrics, intervals, calibration, baselines. Begin with `metrics`, then `summary`."""
