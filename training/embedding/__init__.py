"""How ``agents/common/embedding.npz`` is made (card: ``agents/common/EMBEDDING.md``)."""
