"""A stand-in for Podero: partner API and hosted form over real HTTP, a process of its own."""
