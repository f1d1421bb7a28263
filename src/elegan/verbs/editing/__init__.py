"""The parts of `elegan edit`: sources, pictures, films, and directions with names."""
