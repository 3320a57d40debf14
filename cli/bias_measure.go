package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"graft/onnx/limits"
	"graft/training/metric/bias"
)

// biasSets are the benchmarks that are run.
type biasSets struct {
	chosen      []string
	stereo      *bias.StereoSet
	pairs       map[string]*bias.CrowsPairs
	wino        *bias.WinoBias
	tests       map[string]*bias.AssociationTests
	occupations []bias.Occupation
}

// Files of a folder of graft bias: recorded scores, and what came of them.
const (
	predictionsFile = "predictions.json"
	biasReport      = "bias.json"
)

// recordedBenchmarks are those of which recorded scores are sentences' own.
var recordedBenchmarks = []string{benchStereoSet, benchCrows, benchRevised, benchWino}

// readBias reads the benchmarks, of each at most --limit rows.
func (c *call) readBias(chosen []string, doc *biasDoc) (*biasSets, error) {
	sets := &biasSets{chosen: chosen, pairs: map[string]*bias.CrowsPairs{}, tests: map[string]*bias.AssociationTests{}}
	limit, seed := c.Int("limit"), c.Common.Seed
	for _, name := range chosen {
		if name == benchTemplates && c.biasData(name) == "" {
			sets.occupations = bias.Sampled(bias.Occupations(), limit, seed)
			continue
		}
		path, err := c.biasFile(name)
		if err != nil {
			return nil, err
		}
		doc.Data[name] = path
		var skips bias.Skips
		switch name {
		case benchStereoSet:
			if sets.stereo, err = bias.ReadStereoSet(path); err == nil {
				skips = sets.stereo.Skips
				sets.stereo.Sample(limit, seed)
			}
		case benchCrows, benchRevised:
			var set *bias.CrowsPairs
			if set, err = bias.ReadCrowsPairs(path); err == nil {
				skips = set.Skips
				set.Sample(limit, seed)
				sets.pairs[name] = set
			}
		case benchWino:
			if sets.wino, err = bias.ReadWinoBias(path); err == nil {
				skips = sets.wino.Skips
				sets.wino.Sample(limit, seed)
			}
		case benchSEAT, benchWEAT:
			var set *bias.AssociationTests
			if set, err = bias.ReadAssociationTests(path); err == nil {
				skips = set.Skips
				set.Tests = slices.DeleteFunc(set.Tests, func(t bias.AssociationTest) bool { return t.Sentences() != (name == benchSEAT) })
				if len(set.Tests) == 0 {
					err = fmt.Errorf("no test of %s", name)
				}
				sets.tests[name] = set
			}
		case benchTemplates:
			if sets.occupations, skips, err = bias.ReadOccupations(path); err == nil {
				sets.occupations = bias.Sampled(sets.occupations, limit, seed)
			}
		}
		if err != nil {
			return nil, refused(path, err)
		}
		doc.skip(skips)
	}
	return sets, nil
}

// biasAnswers is how a model, or recorded scores, did in benchmarks.
type biasAnswers struct {
	about     *biasAbout // nil for recorded scores
	stereo    *bias.StereoOutcomes
	pairs     map[string][]bias.PairOutcome
	results   map[string]*bias.Result // of SEAT and WEAT
	templates *bias.OccupationResult
	recorded  bias.Recorded
	skips     bias.Skips
	unscored  map[string]int
	seconds   map[string]float64
}

func newAnswers() *biasAnswers {
	return &biasAnswers{pairs: map[string][]bias.PairOutcome{}, results: map[string]*bias.Result{}, unscored: map[string]int{}, seconds: map[string]float64{},
		recorded: bias.Recorded{Intrasentence: []bias.RecordedScore{}, Intersentence: []bias.RecordedScore{}}}
}

func (a *biasAnswers) skip(name string, s bias.Skips) {
	a.skips.Join(s)
	a.unscored[name] += s.Count
}

// recordedAt is the file of recorded scores at a path: itself, or a folder's that graft bias wrote; "" where there is a model.
func recordedAt(path string) string {
	if !isFolder(path) {
		if strings.EqualFold(filepath.Ext(path), ".json") {
			return path
		}
		return ""
	}
	if file := filepath.Join(path, predictionsFile); isFile(file) && !isFile(filepath.Join(path, "model.onnx")) {
		return file
	}
	return ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// answersOf scores the benchmarks by recorded scores or a model.
func (c *call) answersOf(path, tokens string, sets *biasSets, work *biasWork) (*biasAnswers, error) {
	if file := recordedAt(path); file != "" {
		return c.recordedAnswers(file, sets)
	}
	m, err := c.openBias(path, tokens)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if err := m.answersAll(path, sets.chosen); err != nil {
		return nil, err
	}
	if err := work.keep(m); err != nil {
		return nil, err
	}
	a, err := c.modelAnswers(m, sets)
	if err != nil {
		return nil, runtimeError(err, path)
	}
	return a, m.Close()
}

// answersAll refuses benchmarks that a model cannot answer, all at once.
func (m *biasModel) answersAll(path string, chosen []string) error {
	var no []string
	for _, name := range chosen {
		if !m.can(name) {
			no = append(no, name)
		}
	}
	if len(no) == 0 {
		return nil
	}
	want := "logits over words"
	if m.Encoder == nil {
		want = "last_hidden_state"
	}
	return &Error{File: path, Code: exitInput, Reason: fmt.Sprintf("%s wants a model that gives %s", strings.Join(no, ", "), want),
		Hint: "graft convert --task feature-extraction, fill-mask or text-generation says what a model gives"}
}

func (m *biasModel) can(benchmark string) bool {
	if benchmark == benchSEAT || benchmark == benchWEAT {
		return m.Encoder != nil
	}
	return m.Masked != nil || m.Causal != nil
}

// recordFile puts down of which file a benchmark's pairs are lines. A file that is gone by now leaves nothing.
func (a *biasAnswers) recordFile(name, path string) {
	if hash, err := limits.HashFile(path); err == nil {
		if a.recorded.Of == nil {
			a.recorded.Of = map[string]string{}
		}
		a.recorded.Of[name] = hash
	}
}

// mostReport bounds the bytes of a report that is read again.
const mostReport = 64 << 20

// recordedResult is what a benchmark without scores of sentences came to, by the report beside recorded scores.
func recordedResult(path, name string) (*bias.Result, error) {
	no := misuse("recorded scores are of %s, --benchmark asks for %s: --against a folder that graft bias wrote, whose %s has it, or a model", strings.Join(recordedBenchmarks, ", "),
		name, biasReport)
	file := filepath.Join(filepath.Dir(path), biasReport)
	if filepath.Base(path) != predictionsFile || !isFile(file) {
		return nil, no
	}
	text, err := readTextWithin(file, mostReport)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Benchmarks map[string]*bias.Result `json:"benchmarks"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, refused(file, fmt.Errorf("is no report of graft bias: %w", err))
	}
	if doc.Benchmarks[name] == nil {
		return nil, no
	}
	return doc.Benchmarks[name], nil
}

// recordedAnswers takes recorded scores. A benchmark of which the file has none is an error.
func (c *call) recordedAnswers(path string, sets *biasSets) (*biasAnswers, error) {
	recorded, err := bias.ReadPredictions(path)
	if err != nil {
		return nil, refused(path, err)
	}
	a := newAnswers()
	a.skips.Join(recorded.Skips)
	for _, name := range sets.chosen {
		var skips bias.Skips
		found := 0
		switch name {
		case benchStereoSet:
			a.stereo = sets.stereo.Score(recorded.Scores)
			found, skips = len(a.stereo.Of), a.stereo.Unscored
		case benchCrows, benchRevised:
			if of := recorded.Of[name]; of != "" {
				if hash, err := limits.HashFile(sets.pairs[name].Path); err != nil {
					return nil, refused(sets.pairs[name].Path, err)
				} else if hash != of {
					return nil, &Error{File: path, Code: exitInput, Reason: fmt.Sprintf("scores of %s are of lines of another file than %s", name, sets.pairs[name].Path),
						Hint: "--data names the one that they were made of"}
				}
			}
			a.pairs[name], skips = sets.pairs[name].Score(recorded.Pairs[name])
			found = len(a.pairs[name])
		case benchWino:
			a.pairs[name], skips = sets.wino.Score(recorded.Pairs[name])
			found = len(a.pairs[name])
		default:
			result, err := recordedResult(path, name)
			if err != nil {
				return nil, err
			}
			if a.results[name] = result; name == benchTemplates {
				a.templates = &bias.OccupationResult{Result: result}
			}
			continue
		}
		if found == 0 {
			hint := ""
			if name == benchStereoSet {
				hint = "scores are by the ids of sentences: the examples must have them, as StereoSet's dev.json does"
			}
			return nil, &Error{File: path, Code: exitInput, Reason: fmt.Sprintf("no row of %s has all its scores here; the first: %s", name, skips.Rows[0]), Hint: hint}
		}
		a.skip(name, skips)
	}
	return a, nil
}

// modelAnswers runs the benchmarks.
func (c *call) modelAnswers(m *biasModel, sets *biasSets) (*biasAnswers, error) {
	a := newAnswers()
	a.about = &m.about
	how := bias.Measuring{Resampling: c.biasResampling(), PerToken: c.Bool("per-token"), Progress: c.Progress()}
	if c.Text("average") == averageLogs {
		how.Average = bias.OfLogProbabilities
	}
	if err := m.session.Open(c.Context(), m.Causal != nil); err != nil {
		return nil, err
	}
	defer c.Progress().Done()
	for _, name := range sets.chosen {
		var skips bias.Skips
		var err error
		begun := time.Now()
		switch name {
		case benchStereoSet:
			var recorded *bias.Recorded
			if a.stereo, recorded, err = sets.stereo.Run(c.Context(), &m.Model, how); err == nil {
				skips = a.stereo.Unscored
				a.recorded.Intrasentence, a.recorded.Intersentence = recorded.Intrasentence, recorded.Intersentence
			}
		case benchCrows:
			a.pairs[name], skips, err = sets.pairs[name].Run(c.Context(), &m.Model, how)
			a.recorded.CrowsPairs = bias.RecordPairs(a.pairs[name])
			a.recordFile(name, sets.pairs[name].Path)
		case benchRevised:
			a.pairs[name], skips, err = sets.pairs[name].Run(c.Context(), &m.Model, how)
			a.recorded.CrowsRevised = bias.RecordPairs(a.pairs[name])
			a.recordFile(name, sets.pairs[name].Path)
		case benchWino:
			a.pairs[name], skips, err = sets.wino.Run(c.Context(), &m.Model, how)
			a.recorded.WinoBias = bias.RecordPairs(a.pairs[name])
		case benchSEAT, benchWEAT:
			a.results[name], skips, err = sets.tests[name].Run(c.Context(), &m.Model, name, how)
		case benchTemplates:
			a.templates, skips, err = bias.RunTemplates(c.Context(), &m.Model, sets.occupations, how)
		}
		if err != nil {
			return nil, err
		}
		a.seconds[name] = time.Since(begun).Seconds()
		a.skip(name, skips)
	}
	return a, nil
}

// one puts a benchmark's numbers together; nil where no row has a score. before may be nil.
func (a *biasAnswers) one(name string, before *biasAnswers, r bias.Resampling) *biasOne {
	out := &biasOne{}
	switch name {
	case benchStereoSet:
		out.Result = a.stereo.Result(r)
		if before != nil {
			out.Change = bias.StereoChange(before.stereo, a.stereo, r)
		}
	case benchSEAT, benchWEAT:
		out.Result = a.results[name]
		if before != nil {
			out.Before = before.results[name]
		}
	case benchTemplates:
		if a.templates != nil {
			out.Result, out.Correlation = a.templates.Result, a.templates.Correlation
		}
		if before != nil && before.templates != nil {
			out.Before = before.templates.Result
		}
	default:
		out.Result = bias.PairResult(a.pairs[name], r)
		if before != nil {
			out.Change = bias.PairChange(before.pairs[name], a.pairs[name], r)
		}
	}
	if out.Result == nil {
		return nil
	}
	if out.Result.Unscored == 0 {
		out.Result.Unscored = a.unscored[name]
	}
	if out.Change != nil && math.Abs(out.Change.Score.Before-50) < 2 {
		out.Remark = "The score begins within 2 points of 50: whether the bias became less cannot be told here."
	}
	return out
}

// genderPooled are the intrasentence examples of StereoSet and the pairs of CrowS-Pairs about gender, as one set of items of each of
// which the stereotype is preferred or not; nil where one of the benchmarks was not run.
func genderPooled(after, before *biasAnswers, r bias.Resampling) *biasPooled {
	now := genderItems(after)
	if now == nil {
		return nil
	}
	out := &biasPooled{N: len(now)}
	values := make([]float64, 0, len(now))
	for _, item := range now {
		values = append(values, 100*boolNumber(item.hit))
	}
	score, ci := r.Mean(values)
	out.Score, out.CI = score, &ci
	if before == nil {
		return out
	}
	was := map[string]bool{}
	for _, item := range genderItems(before) {
		was[item.name] = item.hit
	}
	var b, a []bool
	for _, item := range now {
		if hit, ok := was[item.name]; ok {
			b, a = append(b, hit), append(a, item.hit)
		}
	}
	out.Change = bias.ItemChange(b, a, r)
	return out
}

type genderItem struct {
	name string
	hit  bool
}

func genderItems(a *biasAnswers) (out []genderItem) {
	if a.stereo == nil || a.pairs[benchCrows] == nil {
		return nil
	}
	for _, o := range a.stereo.Of {
		if e := o.Example; e.BiasType == "gender" && !e.Inter {
			out = append(out, genderItem{fmt.Sprintf("stereoset %d %s", e.Line, e.ID), o.Stereotype})
		}
	}
	for _, o := range a.pairs[benchCrows] {
		if o.Category == "gender" {
			out = append(out, genderItem{"crows-pairs " + o.Name, o.Hit()})
		}
	}
	return out
}

func boolNumber(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
