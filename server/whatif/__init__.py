"""What a stored day would have been had other things been published: the same code on a changed world."""
