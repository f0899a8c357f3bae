"""`flashq top`: what it reads, what it makes of that, the screen and the keys."""
