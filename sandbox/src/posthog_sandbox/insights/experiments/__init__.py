"""ExperimentQuery and ExperimentExposureQuery."""
