"""The ways by which a notification reaches its recipient: a file each, registered by name.

A new channel is a file with a class that satisfies `port.Channel`, and a line in `registry`.
"""
