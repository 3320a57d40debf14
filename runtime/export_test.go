//go:build cgo

package runtime

import "fmt"

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

// OwnMemory has new states kept in memory of the session's allocator, as on a device.
func OwnMemory(on bool) { ownMemory = on }

// OnDevice reports whether a linked input lies in memory of the session's own.
func (st *State) OnDevice(input string) bool { return st.links[st.byInput[input]].device != nil }

// CaptureAnywhere has new sessions with Options.Capture do on every provider all but the recording.
func CaptureAnywhere(on bool) { ownMemory, captureAnywhere = on, on }

// Captured is how many recorded steps a state has taken.
func (st *State) Captured() int64 { return st.capture.captured }

// Places are the values that the last step read and wrote.
func (st *State) Places() string { return fmt.Sprint(st.inputs, st.outputs) }

// Recordings are the numbers of what the state has recorded.
func (st *State) Recordings() int64 { return st.capture.mark }
