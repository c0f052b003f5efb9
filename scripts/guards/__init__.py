"""Take each guard away once and see that the tests notice: `make guards`."""
