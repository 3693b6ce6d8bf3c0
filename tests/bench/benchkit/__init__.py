"""The bench: figures of Holdfast next to what else could stand in its place on the same wire."""
