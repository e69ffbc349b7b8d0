"""Service account tokens as such: keys, claims, signing, reading, and the issuer's discovery documents.

Whether what a token names still exists is not known here: `server.auth` looks that up.
"""
