"""J and F: the DAVIS benchmark's measures, the data sets they are taken on, and how the numbers are shown."""
