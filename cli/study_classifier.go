package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"graft/cli/report"
	"graft/graphs"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/runtime"
	"graft/training"
	"graft/training/dataset"
	"graft/training/momentum"
)

// classifierStudy is what studies of classifiers share: a network of the catalogue that is made to fit the data.
type classifierStudy struct {
	*call
	network graphs.Network
	name    string
	set     *sampleSet
	test    *sampleSet // nil without --test
	dataID  string
	batch   int64
}

// chooseNetwork takes a network of the catalogue and makes it fit the data.
func (s *classifierStudy) chooseNetwork() error {
	if s.name = s.Text("network"); s.name == "" {
		s.name = "mlp"
	}
	entry, err := graphs.Find(s.name)
	if err != nil {
		return misuse("--network: %v", err)
	}
	s.network = entry.Presets["paper"]
	sample, classes, err := s.samples()
	if err != nil {
		return err
	}
	for key, value := range s.sizes(sample, classes) {
		if s.network, err = graphs.Set(s.network, key, fmt.Sprint(value)); err != nil {
			return misuse("--network %s does not take samples of %v in %d classes: %v", s.name, sample, classes, err)
		}
	}
	for _, kv := range s.List("set") {
		key, value, found := strings.Cut(kv, "=")
		if !found {
			return misuse("--set %s: wants KEY=VALUE", quote(kv))
		}
		if s.network, err = graphs.Set(s.network, key, value); err != nil {
			return misuse("--set %s: %v", quote(kv), err)
		}
	}
	return nil
}

// samples reads the data for the dimensions of a sample and the number of classes.
func (s *classifierStudy) samples() (sample []int64, classes int64, err error) {
	config, err := (&dataReader{s.call, &training.Contract{Inputs: []training.ContractPort{{}}}}).readConfig()
	if err != nil {
		return nil, 0, err
	}
	for _, path := range s.List("data") {
		t, err := dataset.ReadTable(path, config)
		if err != nil {
			return nil, 0, refused(path, err)
		}
		classes = max(classes, int64(len(t.Classes)))
		for _, column := range t.Columns {
			if column.Kind != dataset.Answers && !slices.Contains(answers, column.Name) {
				_, sample = column.Rows.Sample()
				continue
			}
			rows := column.Rows
			if t := dataset.Tensor(rows); t != nil { // bytes, as IDX has them
				if t, err = converted(t, onnx.Int64); err == nil {
					rows, err = dataset.TensorRows(t)
				}
				if err != nil {
					return nil, 0, refused(path, limits.InFile(path, err))
				}
			}
			labels, err := dataset.Labels(rows)
			if err != nil {
				return nil, 0, refused(path, limits.InFile(path, err))
			}
			for _, l := range labels {
				classes = max(classes, l+1)
			}
		}
	}
	if sample == nil || classes < 2 {
		return nil, 0, refused(s.List("data")[0], fmt.Errorf("%s: samples of %v in %d classes: a classifier wants samples with labels of two classes at least", s.List("data")[0], sample, classes))
	}
	return sample, classes, nil
}

// sizes are the network's settings that follow from the data: pictures may come as channels, rows and columns, as rows and columns,
// or flat where they are square and grey.
func (s *classifierStudy) sizes(sample []int64, classes int64) map[string]int64 {
	has := func(key string) bool {
		return slices.ContainsFunc(graphs.Settings(s.network), func(kv string) bool { return strings.HasPrefix(kv, key+"=") })
	}
	out, all := map[string]int64{"classes": classes}, int64(1)
	for _, d := range sample {
		all *= d
	}
	if !has("height") {
		out["in"] = all
		return out
	}
	switch len(sample) {
	case 3:
		out["in"], out["height"], out["width"] = sample[0], sample[1], sample[2]
	case 2:
		out["in"], out["height"], out["width"] = 1, sample[0], sample[1]
	default:
		if side := int64(math.Round(math.Sqrt(float64(all)))); side*side == all {
			out["in"], out["height"], out["width"] = 1, side, side
		}
	}
	return out
}

// read reads the samples for the network of a seed.
func (s *classifierStudy) read(seed uint64) error {
	m, err := s.network.Build(seed)
	if err != nil {
		return &Error{Err: err, Code: exitUsage}
	}
	sets, err := s.trainingSets(m, s.name, testFraction)
	if err != nil {
		return err
	}
	s.set, s.test = sets.train, sets.test
	s.batch = int64(s.Int("batch"))
	n := s.set.samples()
	if s.batch == 0 {
		s.batch = n
	}
	if n < s.batch {
		if s.IsSet("batch") {
			return refused(s.set.file, fmt.Errorf("%s: %d samples are less than a batch of %d: take a smaller --batch, or 0 for all", s.set.file, n, s.batch))
		}
		s.batch = n
	}
	s.dataID, err = s.hash()
	return err
}

// testFraction is the part of --data that --test names; 0 where it is a file.
func testFraction(test string) (float64, error) {
	part, err := parseFraction(test)
	if _, missing := os.Stat(test); err != nil || missing == nil {
		return 0, nil
	}
	if part <= 0 || part >= 1 {
		return 0, misuse("--test %s: wants a file, a folder, or a fraction in (0, 1)", quote(test))
	}
	return part, nil
}

// hash is the beginning of the SHA-256 of all samples, as the network is given them.
func (s *classifierStudy) hash() (string, error) {
	all := sha256.New()
	for _, set := range []*sampleSet{s.set, s.test} {
		if set == nil {
			continue
		}
		b, err := set.inOrder(500)
		if err != nil {
			return "", err
		}
		of, err := b.Hash()
		if err != nil {
			return "", refused(set.file, err)
		}
		fmt.Fprintln(all, of)
	}
	return hex.EncodeToString(all.Sum(nil)[:6]), nil
}

// session is where a cell's models run: without --threads, cells at once share the cores.
func (s *classifierStudy) session() runtime.Options { return sharedSession(s.call) }

// problem is the classifier of a network and a seed, in batches of that size.
func (s *classifierStudy) problem(network graphs.Network, batch int64, seed uint64) (*momentum.Problem, error) {
	m, err := network.Build(seed)
	if err != nil {
		return nil, err
	}
	p := &momentum.Problem{Network: m}
	if p.Data, err = s.set.batches(dataset.BatchConfig{Size: batch, Partial: true, Seed: seed}); err != nil {
		return nil, err
	}
	if p.Ordered, err = s.set.inOrder(s.batch); err != nil {
		return nil, err
	}
	if s.test != nil {
		p.Test, err = s.test.inOrder(s.batch)
	}
	return p, err
}

// stepTime is what a step of a training takes, in seconds.
func (s *classifierStudy) stepTime(ctx context.Context, batch int64, c momentum.Config) (float64, error) {
	p, err := s.problem(s.network, batch, c.Seed)
	if err != nil {
		return 0, err
	}
	c.Steps = measuredSteps
	c.Rate = 1e-9 // as fast as any, and diverges nowhere
	watch := newStepWatch()
	_, err = p.Train(ctx, c, momentum.Run{Session: s.session(), Told: func(step, _ int64, _ float64) { watch.see(step) }})
	return watch.least, err
}

// setPairs are the settings that such studies share.
func (s *classifierStudy) setPairs() []report.Pair {
	pairs := []report.Pair{
		{Name: "network", Value: s.name + ", " + strings.Join(graphs.Settings(s.network), ", ")},
		{Name: "data", Value: fmt.Sprintf("%s (%d samples, %s)", strings.Join(s.List("data"), ", "), s.set.samples(), s.dataID)},
	}
	if s.test != nil {
		pairs = append(pairs, report.Pair{Name: "test", Value: fmt.Sprintf("%s (%d samples)", s.Text("test"), s.test.samples())})
	}
	return append(pairs, report.Pair{Name: "batch", Value: fmt.Sprint(s.batch)})
}
