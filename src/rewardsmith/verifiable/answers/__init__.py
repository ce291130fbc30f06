"""What a text gives as its answer: `final` finds it, `numbers` reads it as an exact number, `chinese` Chinese numerals."""
