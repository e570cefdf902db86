//! A sender that was written in an afternoon: it takes things as they come.
