package session

// Trees reports whether texts that begin alike are scored together, and Alone has them scored one in a row.
func (m *Model) Trees() bool { return m.trees != nil }

func (m *Model) Alone() { m.noForest = true }
