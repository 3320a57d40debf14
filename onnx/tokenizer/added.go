package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Added is a token that is found in a text as a whole, before anything else is done.
type Added struct {
	ID      int64
	Text    string
	Special bool // left out of decoded text where that is wished

	singleWord, left, right, normalized bool // alone; with the white space before, behind; found in the normalized text
}

// addedTokens find added tokens in a text.
type addedTokens struct {
	list  []Added
	words *lexicon
}

// newAddedTokens takes those that are found in normalized text, or those that are found in text as it is.
func newAddedTokens(list []Added, normalized bool, normalize normalizer) *addedTokens {
	a := &addedTokens{list: list}
	ids := map[string]int32{}
	for i, t := range list {
		if t.normalized != normalized {
			continue
		}
		text := t.Text
		if normalized && normalize != nil {
			text = normalize(text)
		}
		ids[text] = int32(i)
	}
	a.words = newLexicon(ids)
	return a
}

// split calls token and text with the parts of s, in order.
func (a *addedTokens) split(s string, token func(Added), text func(from, to int)) {
	done := 0
	if len(a.words.words) > 0 {
		for at := 0; at < len(s); {
			n, i, ok := a.words.longest(s[at:])
			if !ok {
				at++
				continue
			}
			from, to := at, at+n
			at = to
			t := a.list[i]
			if t.singleWord && (from > 0 && endsInWord(s[:from]) || to < len(s) && beginsWithWord(s[to:])) {
				continue
			}
			if t.left {
				from = max(done, len(strings.TrimRightFunc(s[:from], unicode.IsSpace)))
			}
			if t.right {
				to = len(s) - len(strings.TrimLeftFunc(s[to:], unicode.IsSpace))
			}
			if done < from {
				text(done, from)
			}
			token(t)
			done = to
			at = max(at, to)
		}
	}
	if done < len(s) {
		text(done, len(s))
	}
}

func beginsWithWord(s string) bool {
	c, _ := utf8.DecodeRuneInString(s)
	return unicode.Is(class("word"), c)
}

func endsInWord(s string) bool {
	c, _ := utf8.DecodeLastRuneInString(s)
	return unicode.Is(class("word"), c)
}
