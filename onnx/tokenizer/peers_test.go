package tokenizer

import (
	"bufio"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"graft/onnx/gguf"
	"graft/onnx/limits/limitstest"
)

var (
	peers = flag.String("peers", "", "folder that testdata/peers/tokenizer_lines.py has written")
	from  = flag.String("from", "", "a file with a vocabulary that TestWriteFrom writes as a tokenizer.json")
	to    = flag.String("to", "", "where it writes that")
)

// peerCase is a line of cases.jsonl.
type peerCase struct {
	text, decoded, whole string
	ids                  []int64
}

func (c *peerCase) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&c.text, &c.ids, &c.decoded, &c.whole})
}

func readCases(t testing.TB, path string) (cases []peerCase) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var c peerCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	if lines.Err() != nil || len(cases) == 0 {
		t.Fatal(lines.Err(), len(cases))
	}
	return cases
}

// compareCases holds every case against what Hugging Face tokenizers gave.
func compareCases(t *testing.T, tok *Tokenizer, cases []peerCase) {
	t.Helper()
	encoded, decoded := 0, 0
	for _, c := range cases {
		e, err := tok.Encode(c.text)
		if err != nil || !slices.Equal(e.IDs, c.ids) {
			if encoded++; encoded <= 3 {
				at := 0
				for at < len(e.IDs) && at < len(c.ids) && e.IDs[at] == c.ids[at] {
					at++
				}
				t.Errorf("%.200q: %v\nat %d: %v\n  want %v", c.text, err, at, e.IDs[at:min(at+10, len(e.IDs))], c.ids[at:min(at+10, len(c.ids))])
			}
			continue
		}
		if got, whole := tok.Decode(c.ids, true), tok.Decode(c.ids, false); got != c.decoded || whole != c.whole {
			if decoded++; decoded <= 3 {
				t.Errorf("decoded %.200q, want %.200q; with special tokens %.200q, want %.200q", got, c.decoded, whole, c.whole)
			}
		}
	}
	t.Logf("%d lines, %d differ when encoded, %d when decoded", len(cases), encoded, decoded)
}

func TestPeers(t *testing.T) {
	if *peers == "" {
		t.Skip("no -peers")
	}
	folders, err := filepath.Glob(filepath.Join(*peers, "*", "cases.jsonl"))
	if err != nil || len(folders) == 0 {
		t.Fatal("no cases", err)
	}
	for _, path := range folders {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(filepath.Dir(path), "tokenizer.json"))
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			tok, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(start)
			cases := readCases(t, path)
			compareCases(t, tok, cases)
			fresh, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			tokens := 0
			used := limitstest.CPU(t, func() { // that of HF tokenizers was measured the same way, on one thread
				for _, c := range cases {
					e, err := fresh.Encode(c.text)
					if err != nil {
						t.Fatal(err)
					}
					tokens += len(e.IDs)
				}
			})
			speed := float64(tokens) / used.Seconds()
			var peer struct{ Tokens, Seconds float64 }
			if b, err := os.ReadFile(filepath.Join(filepath.Dir(path), "speed.json")); err != nil || json.Unmarshal(b, &peer) != nil {
				t.Fatal("speed.json", err)
			}
			t.Logf("read in %v; %.2f M tokens/s of processor time, %.1f times HF tokenizers", took.Round(time.Millisecond), speed/1e6, speed/(peer.Tokens/peer.Seconds))
		})
	}
}

// TestWriteFrom writes the tokenizer of a GGUF, of llama2.c or of a folder as a tokenizer.json.
func TestWriteFrom(t *testing.T) {
	if *from == "" {
		t.Skip("no -from")
	}
	var tok *Tokenizer
	if f, err := gguf.Open(*from); err == nil {
		defer f.Close()
		if tok, err = FromGGUF(f); err != nil {
			t.Fatal(err)
		}
	} else if b, err := os.ReadFile(*from); err == nil && filepath.Ext(*from) == ".bin" {
		if tok, err = FromLlama2C(b, 0); err != nil {
			t.Fatal(err)
		}
	} else if tok, err = Open(*from); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*to, tok.JSON(), 0o644); err != nil {
		t.Fatal(err)
	}
}
