//go:build cgo

package runtime

/*
#include "capi.h"
*/
import "C"

import (
	"strings"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"
)

// recordAssignments has a session keep where its nodes were put.
const recordAssignments = "session.record_ep_graph_assignment_info"

// placementLog listens to what ONNX Runtime says while it opens a session on another provider than the CPU.
type placementLog struct{ log *C.struct_log }

// listen attaches a log to the options of a session; free it after the session.
func (c *capi) listen(options *ort.SessionOptions, verbose bool) (placementLog, error) {
	l := placementLog{C.log_new(C.bool(verbose))}
	err := c.check(C.log_attach(c.table, pointerIn(options, "o"), l.log))
	if err == nil {
		err = options.SetLogSeverityLevel(ort.LoggingLevelInfo)
	}
	if err != nil {
		l.free()
	}
	return l, err
}

// end gives the names of nodes that were kept on the CPU by choice, and listens no longer.
func (l placementLog) end() map[string]bool {
	names := map[string]bool{}
	for name := range strings.Lines(C.GoString(C.log_end(l.log))) {
		names[strings.TrimSuffix(name, "\n")] = true
	}
	return names
}

func (l placementLog) free() { C.log_free(l.log) }

// assignments lists where a session's nodes run. The session must have been opened with recordAssignments.
func (c *capi) assignments(session handle) ([]assigned, error) {
	var n C.size_t
	parts, err := c.result(C.list_of(c.table, C.SlotSession_GetEpGraphAssignmentInfo, session, &n))
	if err != nil {
		return nil, err
	}
	var nodes []assigned
	for _, part := range unsafe.Slice((*handle)(parts), int(n)) {
		provider, err := c.text(C.SlotEpAssignedSubgraph_GetEpName, part)
		if err != nil {
			return nil, err
		}
		var m C.size_t
		list, err := c.result(C.list_of(c.table, C.SlotEpAssignedSubgraph_GetNodes, part, &m))
		if err != nil {
			return nil, err
		}
		for _, node := range unsafe.Slice((*handle)(list), int(m)) {
			a := assigned{provider: provider}
			if a.domain, err = c.text(C.SlotEpAssignedNode_GetDomain, node); err != nil {
				return nil, err
			}
			if a.operator, err = c.text(C.SlotEpAssignedNode_GetOperatorType, node); err != nil {
				return nil, err
			}
			if a.name, err = c.text(C.SlotEpAssignedNode_GetName, node); err != nil {
				return nil, err
			}
			nodes = append(nodes, a)
		}
	}
	return nodes, nil
}

func (c *capi) text(slot C.int, of handle) (string, error) {
	s, err := c.result(C.text_of(c.table, slot, of))
	if err != nil || s == nil {
		return "", err
	}
	return C.GoString((*C.char)(s)), nil
}
