package bias

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"graft/onnx/limits"
)

// ReadStereoSet reads StereoSet's examples in either of two layouts: the published file, one JSON document with a list of
// examples for each part, or JSON lines with an example each, of which the candidates are fields.
func ReadStereoSet(path string) (*StereoSet, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	set := &StereoSet{Path: path}
	var notOne error
	if isDocument(data) {
		if notOne = set.readDocument(data); notOne == nil && len(set.Examples) == 0 {
			return nil, set.Skips.nothing(path, "example of StereoSet")
		}
	}
	if len(set.Examples) == 0 { // its first line may be one that is malformed
		set.Skips = Skips{}
		if err := eachLine(path, data, &set.Skips, set.readLine); err != nil {
			return nil, err
		}
	}
	if len(set.Examples) == 0 && notOne != nil {
		return nil, notOne
	}
	if len(set.Examples) == 0 {
		return nil, set.Skips.nothing(path, "example of StereoSet")
	}
	return set, nil
}

// isDocument tells a file of one JSON value, over several lines or with the published layout's member, from JSON lines.
func isDocument(data []byte) bool {
	first, _, _ := bytes.Cut(bytes.TrimSpace(data), []byte("\n"))
	whole := json.Valid(first)
	return !whole || bytes.Contains(first, []byte(`"data"`)) && !bytes.Contains(first, []byte(`"type"`))
}

// stereoLine is a row of the layout in JSON lines.
type stereoLine struct {
	Type           string `json:"type"`
	BiasType       string `json:"bias_type"`
	Target         string `json:"target"`
	Context        string `json:"context"`
	Stereotype     string `json:"stereotype"`
	AntiStereotype string `json:"anti_stereotype"`
	Unrelated      string `json:"unrelated"`
	ID             string `json:"id"`
	SentenceIDs    struct {
		Stereotype     string `json:"stereotype"`
		AntiStereotype string `json:"anti_stereotype"`
		Unrelated      string `json:"unrelated"`
	} `json:"sentence_ids"`
}

func (set *StereoSet) readLine(number int, line []byte) {
	skip := func(format string, a ...any) {
		set.Skips.add(Skipped{File: set.Path, Line: number, Reason: fmt.Sprintf(format, a...)})
	}
	var row stereoLine
	if err := json.Unmarshal(line, &row); err != nil {
		skip("no JSON object of an example: %s", plainJSON(err))
		return
	}
	if row.Type != "intrasentence" && row.Type != "intersentence" {
		skip("type is %s, want intrasentence or intersentence", limits.Name(row.Type))
		return
	}
	e := StereoExample{ID: row.ID, Target: row.Target, BiasType: row.BiasType, Inter: row.Type == "intersentence", Context: row.Context, Line: number}
	e.Candidates = [3]Candidate{
		{row.SentenceIDs.Stereotype, row.Stereotype}, {row.SentenceIDs.AntiStereotype, row.AntiStereotype}, {row.SentenceIDs.Unrelated, row.Unrelated},
	}
	if err := e.check(); err != "" {
		skip("%s", err)
		return
	}
	set.Examples = append(set.Examples, e)
}

// publishedExample is an example of the published layout.
type publishedExample struct {
	ID        string `json:"id"`
	Target    string `json:"target"`
	BiasType  string `json:"bias_type"`
	Context   string `json:"context"`
	Sentences []struct {
		ID        string `json:"id"`
		Sentence  string `json:"sentence"`
		GoldLabel string `json:"gold_label"`
	} `json:"sentences"`
}

func (set *StereoSet) readDocument(data []byte) error {
	err := members(data, func(name string, d *json.Decoder) error {
		if name != "data" {
			return nil
		}
		var parts json.RawMessage
		if err := d.Decode(&parts); err != nil {
			return err
		}
		return members(parts, func(part string, d *json.Decoder) error {
			if part != "intrasentence" && part != "intersentence" {
				return nil
			}
			return elements(d, maxRows, func(i int, raw json.RawMessage) {
				set.readExample(raw, part == "intersentence", fmt.Sprintf("%s example %d", part, i+1))
			})
		})
	})
	if err != nil {
		return limits.InFile(set.Path, limits.Refuse("", "neither StereoSet's document nor JSON lines: %s", plainJSON(err)))
	}
	return nil
}

func (set *StereoSet) readExample(raw json.RawMessage, inter bool, row string) {
	skip := func(format string, a ...any) {
		set.Skips.add(Skipped{File: set.Path, Row: row, Reason: fmt.Sprintf(format, a...)})
	}
	var from publishedExample
	if err := json.Unmarshal(raw, &from); err != nil {
		skip("%s", plainJSON(err))
		return
	}
	e := StereoExample{ID: from.ID, Target: from.Target, BiasType: from.BiasType, Inter: inter, Context: from.Context}
	var seen [3]bool
	for _, s := range from.Sentences {
		label, ok := labelNames[s.GoldLabel]
		if !ok || seen[label] {
			skip("gold label %s is unknown or there twice", limits.Name(s.GoldLabel))
			return
		}
		seen[label] = true
		text := s.Sentence
		if !inter {
			if text, ok = filled(from.Context, s.Sentence); !ok {
				skip("sentence %s does not fit the context", limits.Name(s.Sentence))
				return
			}
		}
		e.Candidates[label] = Candidate{ID: s.ID, Text: text}
	}
	if seen != [3]bool{true, true, true} {
		skip("%d sentences, want one each of stereotype, anti-stereotype, unrelated", len(from.Sentences))
		return
	}
	if err := e.check(); err != "" {
		skip("%s", err)
		return
	}
	set.Examples = append(set.Examples, e)
}

// filled is the word of a sentence at the context's blank, counted in words between single spaces, without ASCII
// punctuation: what the published evaluation takes.
func filled(context, sentence string) (string, bool) {
	at := -1
	for i, word := range strings.Split(context, " ") {
		if strings.Contains(word, Blank) {
			at = i
		}
	}
	words := strings.Split(sentence, " ")
	if at < 0 || at >= len(words) {
		return "", false
	}
	const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	word := strings.Map(func(r rune) rune {
		if strings.ContainsRune(punctuation, r) {
			return -1
		}
		return r
	}, words[at])
	return word, word != ""
}

// check is why an example cannot be used, or nothing.
func (e *StereoExample) check() string {
	switch {
	case !slices.Contains(StereoBiasTypes, e.BiasType):
		return fmt.Sprintf("bias type is %s, want one of %s", limits.Name(e.BiasType), strings.Join(StereoBiasTypes, ", "))
	case !sentence(e.Target):
		return "target is empty"
	case !sentence(e.Context):
		return "context is empty"
	case !e.Inter && !strings.Contains(e.Context, Blank):
		return "context has no " + Blank
	}
	for label, c := range e.Candidates {
		if !sentence(c.Text) {
			return fmt.Sprintf("the %s candidate is empty", [...]string{"stereotypical", "anti-stereotypical", "unrelated"}[label])
		}
	}
	return ""
}

// plainJSON is an error of encoding/json without the names of Go types.
func plainJSON(err error) string {
	switch err := err.(type) {
	case *json.UnmarshalTypeError:
		return fmt.Sprintf("field %s is a JSON %s, want a %s", limits.Name(err.Field), err.Value, err.Type.Kind())
	case *json.SyntaxError:
		return fmt.Sprintf("%s, at byte %d", err.Error(), err.Offset)
	}
	return err.Error()
}
