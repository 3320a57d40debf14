package bias

import (
	"encoding/json"
	"fmt"

	"graft/onnx/limits"
)

// Predictions are recorded sentence scores by sentence id.
type Predictions struct {
	Path   string
	Scores map[string]float64            // StereoSet's
	Pairs  map[string]map[string]float64 // by the name of a benchmark of pairs
	Of     map[string]string             // Recorded.Of
	Skips  Skips
}

// ReadPredictions reads recorded scores in the layout of StereoSet's published prediction files: an object of lists of
// {"id", "score"}, under intrasentence and intersentence; of Recorded's other lists as well. Of two scores of one id the later counts, as in the published
// evaluation; they are listed among the skipped.
func ReadPredictions(path string) (*Predictions, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	p := &Predictions{Path: path, Scores: map[string]float64{}, Pairs: map[string]map[string]float64{}}
	err = members(data, func(part string, d *json.Decoder) error {
		if part == "of" {
			return d.Decode(&p.Of)
		}
		into := p.Scores
		if pairLists[part] {
			if into = p.Pairs[part]; into == nil {
				into = map[string]float64{}
				p.Pairs[part] = into
			}
		} else if part != "intrasentence" && part != "intersentence" {
			p.Skips.add(Skipped{File: path, Row: limits.Name(part), Reason: "is neither intrasentence nor intersentence"})
			return nil
		}
		return elements(d, maxRows, func(i int, raw json.RawMessage) { p.read(into, part, i, raw) })
	})
	if err != nil {
		return nil, limits.InFile(path, limits.Refuse("", "no JSON object of lists of recorded scores: %s", plainJSON(err)).WithHint("JSON has no NaN or Infinity"))
	}
	if len(p.Scores) == 0 && len(p.Pairs) == 0 {
		return nil, p.Skips.nothing(path, "recorded score under intrasentence or intersentence")
	}
	return p, nil
}

// read takes one row.
func (p *Predictions) read(into map[string]float64, part string, i int, raw json.RawMessage) {
	skip := func(reason string) {
		p.Skips.add(Skipped{File: p.Path, Row: fmt.Sprintf("%s %d", part, i+1), Reason: reason})
	}
	var row struct {
		ID    *string  `json:"id"`
		Score *float64 `json:"score"`
	}
	switch err := json.Unmarshal(raw, &row); {
	case err != nil:
		skip(plainJSON(err))
	case row.ID == nil || *row.ID == "":
		skip("id is missing")
	case row.Score == nil:
		skip("score is missing")
	default:
		if before, twice := into[*row.ID]; twice && before != *row.Score {
			skip("id " + limits.Name(*row.ID) + " is there twice; the later score counts")
		}
		into[*row.ID] = *row.Score
	}
}
