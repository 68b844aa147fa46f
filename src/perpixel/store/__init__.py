"""What a training leaves behind: the run folder and the model file."""
