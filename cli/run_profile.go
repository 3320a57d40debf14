package cli

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"time"

	"graft/onnx"
	"graft/runtime"
)

// profiled is where the time of a run goes: by operator and by node, what takes longest first. Times are means of a run.
type profiled struct {
	Operators []operatorTime `json:"operators"`
	Nodes     []nodeTime     `json:"nodes"`
}

type operatorTime struct {
	Op    string  `json:"op"`
	Nodes int     `json:"nodes"`
	MS    float64 `json:"ms"`
	Share float64 `json:"share"` // of all nodes together
}

type nodeTime struct {
	Name     string  `json:"name"`
	Op       string  `json:"op"`
	Provider string  `json:"provider"`
	MS       float64 `json:"ms"`
	Share    float64 `json:"share"`
}

// profile is the folder that a session writes its times into; the zero value is a session without them.
type profile struct {
	dir  string
	runs int
}

// openProfiled is openSession, with times where --profile asks for them.
func (c *call) openProfiled(m *onnx.Model, path string) (*runtime.Session, profile, error) {
	if !c.Bool("profile") {
		s, err := c.openSession(m, path)
		return s, profile{}, err
	}
	dir, err := os.MkdirTemp("", "graft-profile-")
	if err != nil {
		return nil, profile{}, environment(err, "--profile needs a folder for what ONNX Runtime writes")
	}
	p := profile{dir, c.Int("repeat")}
	options := c.runtimeOptions()
	options.Profile = filepath.Join(dir, "times")
	s, err := runtime.OpenModel(m, options)
	if err != nil {
		p.remove()
		return nil, profile{}, runtimeError(err, path)
	}
	return s, p, nil
}

func (p profile) remove() {
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

// read closes the session, for that is when the times are written, and reads them; nil without --profile.
func (p profile) read(s *runtime.Session, model string) (*profiled, error) {
	if p.dir == "" {
		return nil, nil
	}
	if err := s.Close(); err != nil {
		return nil, failed(err, "")
	}
	found, err := filepath.Glob(filepath.Join(p.dir, "times*"))
	if err != nil || len(found) == 0 {
		return nil, failed(os.ErrNotExist, "ONNX Runtime has written no times")
	}
	list, err := runtime.ReadProfile(found[0])
	if err != nil {
		return nil, runtimeError(err, model)
	}
	return profileOf(list, p.runs), nil
}

func profileOf(list []runtime.NodeTime, runs int) *profiled {
	doc := &profiled{Operators: []operatorTime{}, Nodes: []nodeTime{}}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) / float64(runs) }
	total := time.Duration(0)
	for _, n := range list {
		total += n.Time
	}
	share := func(x float64) float64 {
		if total == 0 {
			return 0
		}
		return x / ms(total)
	}
	place := map[string]int{}
	for _, n := range list {
		doc.Nodes = append(doc.Nodes, nodeTime{n.Name, n.Op, n.Provider, ms(n.Time), share(ms(n.Time))})
		at, ok := place[n.Op]
		if !ok {
			at = len(doc.Operators)
			place[n.Op] = at
			doc.Operators = append(doc.Operators, operatorTime{Op: n.Op})
		}
		o := &doc.Operators[at]
		o.Nodes++
		o.MS += ms(n.Time)
		o.Share = share(o.MS)
	}
	slices.SortStableFunc(doc.Nodes, func(a, b nodeTime) int { return cmp.Compare(b.MS, a.MS) })
	slices.SortStableFunc(doc.Operators, func(a, b operatorTime) int { return cmp.Compare(b.MS, a.MS) })
	return doc
}

func (c *call) printProfile(p *profiled) {
	if p == nil {
		return
	}
	c.Print("")
	t := table{Head: []string{"operator", "nodes", "ms", "share"}}
	for _, o := range p.Operators {
		t.Add(o.Op, o.Nodes, o.MS, percent(o.Share))
	}
	c.Table(t)
	const slowest = 15
	c.Print("")
	t = table{Head: []string{"node", "operator", "provider", "ms", "share"}}
	for i, n := range p.Nodes {
		if i < slowest || c.Common.Verbose {
			t.Add(n.Name, n.Op, n.Provider, n.MS, percent(n.Share))
		}
	}
	c.Table(t)
}
