"""Problems about noise, with its law known exactly."""
