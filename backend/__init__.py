"""The server: audio in, text out, told to anyone who asks."""
