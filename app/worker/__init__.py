"""Taking background batches from the queue and working on them."""
