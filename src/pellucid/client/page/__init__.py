"""Pages: what a browser would fetch for a document, found without running one."""
