package cli

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"graft/onnx"
	"graft/runtime"
)

var benchVerb = verb{
	name: "bench", args: "FILE", short: "time a model, alone or beside another",
	long: "Each round runs the model once, and with --against the other right after it, the one that begins changing from\n" +
		"round to round, so that what else the machine does meets both. Inputs are made as graft run makes them, and are\n" +
		"the same for both. The ratio is the median of the first over that of the second: below 1 the first is faster.",
	examples: []string{
		"graft bench model.onnx --threads 1",
		"graft bench pruned.onnx --against model.onnx --dim batch=8 --json",
	},
	groups: readsModel | runsModel,
	flags: []cli.Flag{
		text("against", "FILE", "a second model, timed in turn with the first"),
		text("inputs", "FILE.npz", "inputs by name; .npz, .safetensors, or .npy for an only input"),
		dimFlag(),
		integer("rounds", "N", 0, 10_000_000, 0, "timed runs of each model; 0: as many as --for lasts, 10 at least"),
		number("for", "SECONDS", between(0.001, 86400), 3, "time that each model is given where --rounds is 0"),
		integer("warmup", "N", 0, 100_000, 3, "runs of each model before those that count"),
	},
	run: runBench,
}

// benched is the document of graft bench --json.
type benched struct {
	executed
	File string `json:"file"`
	timed
	Threads int           `json:"threads"` // 0: all
	Rounds  int           `json:"rounds"`
	Warmup  int           `json:"warmup"`
	Inputs  []string      `json:"inputs"`
	Against *benchedOther `json:"against,omitempty"`
	Ratio   float64       `json:"ratio,omitempty"`
}

type benchedOther struct {
	File string `json:"file"`
	timed
}

// timed is what was measured of one model. Throughput is runs a second. PeakBytes is how far the process's memory rose
// while the model was opened and first run, its weights included; absent where the system does not tell.
type timed struct {
	Latency    latency `json:"latency_ms"`
	Throughput float64 `json:"throughput"`
	PeakBytes  int64   `json:"peak_bytes,omitempty"`
	OpenMS     float64 `json:"open_ms"`  // making the session
	FirstMS    float64 `json:"first_ms"` // the first run
}

// latency is in milliseconds.
type latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	Max  float64 `json:"max"`
}

// latencyOf summarizes durations, of which there is one at least. A percentile is the smallest that so many do not exceed.
func latencyOf(times []time.Duration) latency {
	sorted := slices.Sorted(slices.Values(times))
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	at := func(p float64) float64 {
		return ms(sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)])
	}
	var sum time.Duration
	for _, d := range sorted {
		sum += d
	}
	return latency{P50: at(0.5), P90: at(0.9), P99: at(0.99), Min: ms(sorted[0]), Mean: ms(sum) / float64(len(sorted)), Max: ms(sorted[len(sorted)-1])}
}

// contestant is a model that is timed.
type contestant struct {
	side
	session *runtime.Session
	feeds   map[string]*onnx.Tensor
	timed   timed
	times   []time.Duration
}

func runBench(c *call) error {
	sides := []side{{path: c.Arg(0)}}
	if other := c.Text("against"); other != "" {
		sides = append(sides, side{path: other})
	}
	for i := range sides {
		m, err := c.loadModel(sides[i].path)
		if err != nil {
			return err
		}
		sides[i].model = m
	}
	both := [2]side{sides[0], sides[len(sides)-1]}
	feeds, err := c.commonFeeds(both)
	if err != nil {
		return err
	}
	models := make([]*contestant, len(sides))
	defer func() {
		for _, m := range models {
			if m != nil && m.session != nil {
				_ = m.session.Close()
			}
		}
	}()
	if err := c.loadRuntime(); err != nil {
		return err
	}
	for i, s := range sides {
		models[i] = &contestant{side: s}
		if models[i].feeds, err = ownFeeds(s, feeds); err != nil {
			return err
		}
		if err := c.open(models[i]); err != nil {
			return err
		}
	}
	if err := c.race(models); err != nil {
		return err
	}
	doc := benched{executed: c.executed(), File: sides[0].path, timed: models[0].timed, Threads: c.Common.Threads, Rounds: len(models[0].times),
		Warmup: c.Int("warmup"), Inputs: []string{}}
	for _, name := range feedNames(sides[0].model.Graph) {
		doc.Inputs = append(doc.Inputs, name+" "+feeds[name].Type().String())
	}
	if len(models) > 1 {
		doc.Against = &benchedOther{sides[1].path, models[1].timed}
		if doc.Against.Latency.P50 > 0 {
			doc.Ratio = doc.Latency.P50 / doc.Against.Latency.P50
		}
	}
	c.JSON(doc)
	c.printBench(doc)
	return nil
}

// loadRuntime opens a model of one node, so that what loading the library takes is not held against the first model.
func (c *call) loadRuntime() error {
	g := onnx.NewGraph("nothing")
	n := g.Add("Identity", []*onnx.Value{g.AddInput("x", onnx.TypeOf(onnx.Float, 1))}, 1)
	n.Output(0).Type = onnx.TypeOf(onnx.Float, 1)
	g.AddOutput(n.Output(0), "y")
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
	options := c.runtimeOptions()
	options.Placed, options.Strict = nil, false
	s, err := runtime.OpenModel(m, options)
	if err != nil {
		return runtimeError(err, "")
	}
	defer s.Close()
	if _, err := s.Run(c.Context(), map[string]*onnx.Tensor{"x": onnx.FromSlice([]float32{1})}); err != nil {
		return runtimeError(err, "")
	}
	return nil
}

// open makes the session of a model and runs it for the first time, and measures what memory that takes.
func (c *call) open(m *contestant) (err error) {
	meter := beginMemory()
	begin := time.Now()
	if m.session, err = runtime.OpenModel(m.model, c.runtimeOptions()); err != nil {
		return runtimeError(err, m.path)
	}
	m.timed.OpenMS = 1000 * time.Since(begin).Seconds()
	first, err := c.once(m)
	if err != nil {
		return err
	}
	m.timed.FirstMS = 1000 * first.Seconds()
	m.timed.PeakBytes = meter.peak()
	return nil
}

// once runs a model and says how long that took.
func (c *call) once(m *contestant) (time.Duration, error) {
	begin := time.Now()
	_, err := m.session.Run(c.Context(), m.feeds)
	took := time.Since(begin)
	if err != nil {
		return 0, runtimeError(err, m.path)
	}
	return took, nil
}

// leastRounds are run however long they take.
const leastRounds = 10

// race warms the models up and times them in turn.
func (c *call) race(models []*contestant) error {
	warm, rounds := c.Int("warmup"), c.Int("rounds")
	c.Progress().Stage("warm up", warm)
	for i := range warm {
		for _, m := range models {
			if _, err := c.once(m); err != nil {
				return err
			}
		}
		c.Progress().Step(i+1, "")
	}
	given := time.Duration(c.Float("for") * float64(len(models)) * float64(time.Second))
	begin := time.Now()
	c.Progress().Stage("time", rounds)
	for i := 0; i < rounds || rounds == 0 && (i < leastRounds || time.Since(begin) < given); i++ {
		for k := range models {
			m := models[(k+i)%len(models)]
			took, err := c.once(m)
			if err != nil {
				return err
			}
			m.times = append(m.times, took)
		}
		c.Progress().Step(i+1, fmt.Sprintf("%.3g ms", float64(models[0].times[i])/float64(time.Millisecond)))
	}
	c.Progress().Done()
	for _, m := range models {
		m.timed.Latency = latencyOf(m.times)
		if m.timed.Latency.Mean > 0 {
			m.timed.Throughput = 1000 / m.timed.Latency.Mean
		}
	}
	return nil
}

func (c *call) printBench(doc benched) {
	t := table{Head: []string{"model", "p50 ms", "p90", "p99", "min", "runs/s", "peak memory", "open ms", "first ms"}}
	row := func(path string, m timed) {
		memory := "unknown"
		if m.PeakBytes > 0 {
			memory = size(m.PeakBytes)
		}
		n := func(x float64) string { return fmt.Sprintf("%.4g", x) }
		t.Add(filepath.Base(path), n(m.Latency.P50), n(m.Latency.P90), n(m.Latency.P99), n(m.Latency.Min), n(m.Throughput), memory,
			n(m.OpenMS), n(m.FirstMS))
	}
	row(doc.File, doc.timed)
	if doc.Against != nil {
		row(doc.Against.File, doc.Against.timed)
	}
	c.Table(t)
	for _, s := range doc.Inputs {
		c.Print("input %s", s)
	}
	threads := "all threads"
	if doc.Threads > 0 {
		threads = counted(doc.Threads, "thread")
	}
	c.Print("%s, %s, %s", doc.Provider, threads, counted(doc.Rounds, "round"))
	if doc.Against != nil && doc.Ratio > 0 {
		faster, by := doc.File, 1/doc.Ratio
		if doc.Ratio > 1 {
			faster, by = doc.Against.File, doc.Ratio
		}
		c.Print("ratio %.3f: %s is %.3g times as fast", doc.Ratio, faster, by)
	}
}
