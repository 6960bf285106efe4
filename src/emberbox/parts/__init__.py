"""Groups of parts that are built, opened and closed together; `app` puts the groups together."""
