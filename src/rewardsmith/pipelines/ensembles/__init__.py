"""Several reward models as one. `joining` makes an ensemble of models, `held_out` fits its scales, `margins` judges it."""
