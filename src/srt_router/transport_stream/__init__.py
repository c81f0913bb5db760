"""The stream monitor: what is really inside the transport stream on each route's bus.

A program of its own (``python -m srt_router.transport_stream``), one for all routes of a server, so that
the server's loop never touches a packet. What decides is pure (``analyser.py`` and what it uses);
``process.py`` joins the buses and feeds it.
"""
