package cli

import (
	"strings"
	"testing"

	"graft/onnx/limits/limitstest"
)

// Benchmarks' examples, recorded scores and lists of words: Y for what is JSON or text.

const (
	goodStereo = `{"type":"intrasentence","bias_type":"race","target":"t","context":"A is BLANK","stereotype":"a","anti_stereotype":"b","unrelated":"c","sentence_ids":{"stereotype":"1","anti_stereotype":"2","unrelated":"3"}}` + "\n"
	goodScores = `{"intrasentence":[{"id":"1","score":1},{"id":"2","score":2},{"id":"3","score":3}]}`
)

// biased lies beside a hostile file: examples and scores that go together, and a text.
func biased(list []hostile) []hostile {
	for i := range list {
		write := list[i].make
		list[i].make = func(t testing.TB, folder string) {
			file("examples.jsonl", []byte(goodStereo))(t, folder)
			file("scores.json", []byte(goodScores))(t, folder)
			file("text.txt", []byte("he is here\n"))(t, folder)
			write(t, folder)
		}
	}
	return list
}

func TestHostileBias(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	row := `{"id":"` + strings.Repeat("i", 2<<20) + `","score":1}`
	cases := []limitstest.Case{
		{ID: "Y11", What: "deep", Bytes: []byte(deep), Want: "no { begins|no example"},
		{ID: "Y11", What: "deep in a list", Bytes: []byte(`{"intrasentence":` + deep + strings.Repeat("]", 20_000) + `}`), Want: "exceeded max depth|no example"},
		{ID: "Y11", What: "deep under another name", Bytes: []byte(`{"x":` + deep + strings.Repeat("]", 20_000) + `}`), Want: "no recorded score|no example"},
		{ID: "Y05", What: "rows of nothing", Bytes: []byte(`{"intrasentence":[` + strings.Repeat("7,", 200_000) + `7]}`), Want: "more than 131072 entries|no example"},
		{ID: "Y05", What: "many names", Bytes: []byte(`{` + strings.Repeat(`"a":1,`, 100_000) + `"b":1}`), Want: "no recorded score|no example"},
		{ID: "Y05", What: "a row of two megabytes", Bytes: []byte(`{"intrasentence":[` + row + `]}`), Want: "no recorded score|no example"},
		{ID: "Y09", What: "NaN", Bytes: []byte(`{"intrasentence":[{"id":"1","score":NaN}]}`), Want: "JSON has no NaN|no example"},
		{ID: "Y10", What: "UTF-16", Bytes: []byte("\xff\xfe{\x00}\x00"), Want: "invalid character|no example"},
		{ID: "Y10", What: "escape sequences", Bytes: []byte("{\"\\u001b[2J\":1}\n"), Want: "no recorded score|no example"},
		{ID: "Y04", What: "cut short", Bytes: []byte(goodScores[:40]), Want: "unexpected EOF|EOF|no example"},
		{ID: "Y04", What: "more behind", Bytes: []byte(goodScores + "{}"), Want: "something follows|no example"},
		{ID: "Y04", What: "empty", Bytes: nil, Want: "nothing where|no example"},
	}
	for i := range cases {
		cases[i].Want += "|neither StereoSet's document nor JSON lines"
	}
	refuseThrough(t, biased(files("hostile.json", cases)), "bias --data $DIR/examples.jsonl --scores $DIR/hostile.json --out $OUT", "bias --scores $DIR/scores.json --data $DIR/hostile.json --out $OUT",
		"bias --scores $DIR/scores.json --data $DIR/examples.jsonl --against $DIR/hostile.json --out $OUT")
	words := []limitstest.Case{
		{ID: "Y10", What: "UTF-16 words", Bytes: []byte("\xff\xfeh\x00e\x00 \x00s\x00h\x00e\x00\n\x00"), Want: "no word|is not UTF-8|words, want two"},
		{ID: "Y05", What: "a word of nine megabytes", Bytes: []byte(strings.Repeat("a", 9<<20)), Want: "more than 8388608 bytes"},
		{ID: "Y05", What: "many pairs", Bytes: []byte(manyPairs(100_001)), Want: "more than 100000 pairs"},
		{ID: "Y04", What: "one word", Bytes: []byte("he\n"), Want: "1 words, want two"},
		{ID: "Y04", What: "escape sequences", Bytes: []byte("\x1b[2J she\n"), Want: "no word"},
		{ID: "Y04", What: "empty", Bytes: nil, Want: "no pair of words"},
	}
	refuseThrough(t, biased(files("hostile.txt", words)), "counterfactual $DIR/text.txt --words $DIR/hostile.txt --out $OUT.txt", "counterfactual $DIR/text.txt --names $DIR/hostile.txt --out $OUT.txt")
	texts := []limitstest.Case{
		{ID: "Y10", What: "not UTF-8", Bytes: []byte("\xff\xfeh\x00e\x00\n\x00"), Want: "1 are not UTF-8"},
		{ID: "Y05", What: "a line of ten megabytes", Bytes: []byte(strings.Repeat("he ", 10<<20/3)), Want: "longer than a megabyte, the first line 1"},
		{ID: "Y04", What: "empty", Bytes: nil, Want: "none of 0 lines"},
	}
	refuseThrough(t, biased(files("hostile.txt", texts)), "counterfactual $DIR/hostile.txt --out $OUT.txt")
}

// manyPairs is a list of pairs of made-up words.
func manyPairs(n int) string {
	var b strings.Builder
	word := func(i int) {
		for range 6 {
			b.WriteByte(byte('a' + i%26))
			i /= 26
		}
	}
	for i := range n {
		word(2 * i)
		b.WriteByte(' ')
		word(2*i + 1)
		b.WriteByte('\n')
	}
	return b.String()
}
