package cli

import (
	"slices"
	"strings"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// pruned is the document of graft prune --json. DeadChannels are output channels of convolutions that compaction would
// remove; the field is absent where the graph cannot be compacted.
type pruned struct {
	ParamsTotal  int64         `json:"params_total"`
	ParamsKept   int64         `json:"params_kept"`
	Sparsity     float64       `json:"sparsity"`
	Layers       []prunedLayer `json:"layers"`
	Channels     []prunedGroup `json:"channel_groups,omitempty"` // by a method that removes channels
	DeadLayers   []string      `json:"dead_layers"`              // weights through which nothing gets any more
	DeadChannels *int64        `json:"dead_channels,omitempty"`
	Compact      *int64        `json:"params_compact,omitempty"` // what compaction would leave
	File         string        `json:"file"`
	Bytes        int64         `json:"bytes"`
	Mask         string        `json:"mask,omitempty"`
	*savedModel
}

type prunedLayer struct {
	Name  string `json:"name"`
	Total int64  `json:"total"`
	Kept  int64  `json:"kept"`
}

func describePruning(set *masking.Set) pruned {
	doc := pruned{ParamsTotal: set.Total(), ParamsKept: set.Kept(), Layers: []prunedLayer{}}
	if doc.ParamsTotal > 0 {
		doc.Sparsity = 1 - float64(doc.ParamsKept)/float64(doc.ParamsTotal)
	}
	for _, mask := range set.Masks() {
		doc.Layers = append(doc.Layers, prunedLayer{mask.Name, int64(len(mask.Keep)), mask.Kept()})
	}
	return doc
}

// prunedGroup is channels that go one by one, with all that makes and reads them.
type prunedGroup struct {
	Name  string `json:"name"`
	Total int    `json:"total"`
	Kept  int    `json:"kept"`
}

// groupsOf are the channels of a model that can go.
func groupsOf(m *onnx.Model) []*masking.Group {
	copied := m.Clone()
	op.InferModel(copied)
	return masking.Groups(copied.Graph)
}

// keptChannels counts the channels of which a mask keeps something.
func keptChannels(groups []*masking.Group, set *masking.Set) (list []prunedGroup) {
	for _, g := range groups {
		at := prunedGroup{Name: g.Name, Total: g.Count}
		for channel := range g.Count {
			kept := false
			for i := range g.Members {
				keep := set.Get(g.Members[i].Parameter).Keep
				g.Members[i].Elements(channel, func(e int) { kept = kept || keep[e] })
			}
			if kept {
				at.Kept++
			}
		}
		list = append(list, at)
	}
	return list
}

// flowOf is what of a model's inputs reaches its outputs.
func flowOf(m *onnx.Model) masking.Flow {
	copied := m.Clone()
	op.InferModel(copied)
	return masking.FlowOf(copied.Graph)
}

// tellDead lists the layers that a mask has left dead, and warns of them.
func (c *call) tellDead(before, after masking.Flow) []string {
	dead, empty := []string{}, []string(nil)
	for _, name := range after.Dead {
		if slices.Contains(before.Dead, name) {
			continue
		}
		dead = append(dead, name)
		if slices.Contains(after.Empty, name) {
			empty = append(empty, name)
		}
	}
	if len(dead) == 0 {
		return dead
	}
	const most = 8
	text := "warning: dead: " + limits.Names(dead, most)
	switch {
	case len(empty) == len(dead):
		text += ": no weight is kept"
	case len(empty) > 0:
		text += ": no weight is kept of " + limits.Names(empty, most)
	default:
		text += ": no path leads through"
	}
	if after.Cut && !before.Cut {
		text += "; the outputs do not depend on the inputs any more"
	}
	c.Say("%s", text)
	return dead
}

// deadChannels compacts a copy of m and counts the output channels of convolutions that went, and the parameters left.
func deadChannels(m *onnx.Model) (channels, left *int64, err error) {
	copied := m.Clone()
	op.InferModel(copied)
	before := convChannels(copied.Graph)
	done, err := masking.Compact(copied.Graph)
	if err != nil {
		return nil, nil, err
	}
	dead := before - convChannels(copied.Graph)
	return &dead, &done.After, nil
}

// convChannels sums the output channels of the convolutions of g.
func convChannels(g *onnx.Graph) (n int64) {
	for _, node := range g.Nodes() {
		if w := node.Input(1); node.Is("Conv") && w != nil && w.Const != nil && len(w.Const.Dims) > 0 {
			n += w.Const.Dims[0]
		}
	}
	return n
}

func (c *call) printPruning(doc pruned) {
	t := table{Head: []string{"weights", "total", "kept", ""}}
	for _, l := range doc.Layers {
		t.Add(l.Name, l.Total, l.Kept, bar(l.Kept, l.Total))
	}
	c.Table(t)
	c.Print("")
	if doc.Channels != nil {
		total, kept := 0, 0
		for _, g := range doc.Channels {
			total, kept = total+g.Total, kept+g.Kept
		}
		c.Print("%s of %s channels kept in %s", grouped(int64(kept)), grouped(int64(total)), counted(len(doc.Channels), "group"))
	}
	c.Print("%s of %s weights kept, sparsity %s", grouped(doc.ParamsKept), grouped(doc.ParamsTotal), percent(doc.Sparsity))
	if doc.DeadChannels != nil && *doc.DeadChannels > 0 {
		c.Print("%s: compaction would leave %s parameters", counted(int(*doc.DeadChannels), "dead channel"), grouped(*doc.Compact))
	}
	files := doc.File + " (" + size(doc.Bytes) + ")"
	if doc.Mask != "" {
		files += " and " + doc.Mask
	}
	if c.Common.DryRun {
		files = "would write " + files
	}
	c.Print("%s", files)
}

// bar draws a fraction in ten cells.
func bar(part, whole int64) string {
	const cells = 10
	n := 0
	if whole > 0 {
		n = int((part*cells + whole - 1) / whole)
	}
	return strings.Repeat("#", n) + strings.Repeat(".", cells-n)
}
