"""What the rooms that several sites hold together have in common, whatever their order is: finding each other, and links."""
