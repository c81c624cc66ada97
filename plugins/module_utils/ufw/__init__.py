"""ufw's policy: what is declared, what the files say, and the way from one to the other."""
