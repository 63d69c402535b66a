"""The theorems: one function per theorem, one file per method, in families."""
