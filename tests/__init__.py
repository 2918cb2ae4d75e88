"""The tests mirror the package; `support` has what they share."""
