"""What several agents share: watermarks, remembered ids, how they read each other's messages."""
