"""What shoppers may ask for: to be forgotten, to have a copy, to know what is kept, why and for how long."""
