"""What several check types share; not an extension itself."""
