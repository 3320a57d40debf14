//go:build cgo

package runtime

// Assigned lists where a session's nodes run, as "provider operator name"; the session is opened with RecordAssignments.
func (s *Session) Assigned() (list []string, err error) {
	nodes, err := s.env.assignments(s.ptr)
	for _, n := range nodes {
		list = append(list, n.provider+" "+n.operator+" "+n.name)
	}
	return list, err
}

// RecordAssignments is the entry of Options.Config for Assigned.
const RecordAssignments = recordAssignments
