package bias

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"graft/onnx/limits"
)

// CrowsPair is two sentences that differ in the words which name a group (Nangia et al. 2020).
type CrowsPair struct {
	More, Less string // more and less stereotypical
	// Against: the pair's sentence about the disadvantaged group goes against a stereotype (the file's "antistereo").
	Against  bool
	BiasType string
	Line     int
}

// CrowsPairs is a set of pairs.
type CrowsPairs struct {
	Path  string
	Pairs []CrowsPair
	Skips Skips
}

// ReadCrowsPairs reads the published table, or its revision: CSV with the columns sent_more, sent_less, stereo_antistereo
// and bias_type, in any order and among others.
func ReadCrowsPairs(path string) (*CrowsPairs, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(data, []byte(",")); n > maxRows {
		return nil, limits.InFile(path, limits.Refuse("", "more than %d commas", maxRows))
	}
	set := &CrowsPairs{Path: path}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	head, err := r.Read()
	if err != nil {
		return nil, limits.InFile(path, limits.Refuse("header", "no line of CSV: %s", plainCSV(err)))
	}
	columns, missing := map[string]int{}, []string(nil)
	for i, name := range head {
		columns[strings.TrimSpace(name)] = i
	}
	width := 0
	for _, name := range []string{"sent_more", "sent_less", "stereo_antistereo", "bias_type"} {
		i, ok := columns[name]
		if !ok {
			missing = append(missing, name)
		}
		width = max(width, i+1)
	}
	if len(missing) > 0 {
		return nil, limits.InFile(path, limits.Refuse("header", "columns missing: %s", strings.Join(missing, ", ")))
	}
	for rows := 0; ; rows++ {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := r.FieldPos(0)
		skip := func(format string, a ...any) {
			set.Skips.add(Skipped{File: path, Line: line, Reason: fmt.Sprintf(format, a...)})
		}
		var wrong *csv.ParseError
		switch {
		case errors.As(err, &wrong):
			line = wrong.StartLine
			skip("%s", plainCSV(err))
		case err != nil:
			return nil, limits.InFile(path, err)
		case rows >= maxRows:
			return nil, limits.InFile(path, limits.Refuse("", "more than %d rows", maxRows))
		case len(fields) < width:
			skip("%d fields, want %d or more", len(fields), width)
		default:
			p := CrowsPair{More: fields[columns["sent_more"]], Less: fields[columns["sent_less"]], BiasType: fields[columns["bias_type"]], Line: line}
			direction := fields[columns["stereo_antistereo"]]
			p.Against = direction == "antistereo"
			switch {
			case direction != "stereo" && direction != "antistereo":
				skip("stereo_antistereo is %s, want stereo or antistereo", limits.Name(direction))
			case !sentence(p.More) || !sentence(p.Less):
				skip("a sentence is empty or no UTF-8")
			case !sentence(p.BiasType) || len(p.BiasType) > 100:
				skip("bias_type is empty or too long")
			default:
				set.Pairs = append(set.Pairs, p)
			}
		}
	}
	if len(set.Pairs) == 0 {
		return nil, set.Skips.nothing(path, "pair of CrowS-Pairs")
	}
	return set, nil
}

func plainCSV(err error) string {
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("column %d: %v", wrong.Column, wrong.Err)
	}
	return err.Error()
}

// PairOutcome is the scores of a pair's two sentences: log-likelihoods, or anything that grows with them.
type PairOutcome struct {
	Name       string  // of the row, among those of the set
	More, Less float64 // of the stereotypical sentence, and of the other
	Against    bool
	Category   string
}

// Hit: the stereotypical sentence is more likely.
func (o PairOutcome) Hit() bool { return o.hit() }

// hit is Hit; tie: there is no difference in three decimals, to which the published evaluation rounds.
func (o PairOutcome) hit() bool { return thousandth(o.More) > thousandth(o.Less) }
func (o PairOutcome) tie() bool { return thousandth(o.More) == thousandth(o.Less) }

// thousandth rounds to three decimals as Python's round does: by the exact value of x, and not by its product with 1000.
func thousandth(x float64) float64 {
	if y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', 3, 64), 64); err == nil {
		return y
	}
	return x
}

// PairResult is the share of pairs of which the stereotypical sentence is more likely, in percent: overall, by category,
// and of the pairs that show a stereotype and those that go against one. Ties count in the whole and the categories as
// pairs that are no hit, and not at all in the two shares, as in the published evaluation.
func PairResult(of []PairOutcome, r Resampling) *Result {
	if len(of) == 0 {
		return nil
	}
	out := pairGroup(of, r)
	kinds := map[string][]PairOutcome{}
	for _, o := range of {
		kinds[o.Category] = append(kinds[o.Category], o)
	}
	out.ByCategory = map[string]*Result{}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		out.ByCategory[name] = pairGroup(kinds[name], r)
	}
	return out
}

func pairGroup(of []PairOutcome, r Resampling) *Result {
	out := &Result{N: len(of)}
	values := make([]float64, len(of))
	var hits, decided [2]float64
	for i, o := range of {
		k := 0
		if o.Against {
			k = 1
		}
		switch {
		case o.tie():
			out.Neutral++
			continue
		case o.hit():
			values[i] = 100
			hits[k]++
		}
		decided[k]++
	}
	score, ci := r.Mean(values)
	out.Score, out.CI = score, &ci
	share := func(k int) *float64 {
		if decided[k] == 0 || decided[1] == 0 && k == 0 {
			return nil
		}
		v := 100 * hits[k] / decided[k]
		return &v
	}
	out.Stereo, out.AntiStereo = share(0), share(1)
	return out
}
