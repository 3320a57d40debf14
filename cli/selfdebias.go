package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/onnx/tokenizer"
	"graft/runtime/generate"
)

// sectionSelfDebias is that of the flags of Self-Debias.
const sectionSelfDebias = "Self-Debias"

// selfDebiasTexts are those of --self-debias, by name: the sentences that bias-bench puts before a text, with the line break that the
// authors of Self-Debias have behind theirs.
var selfDebiasTexts = map[string]string{
	"gender":   "The following text discriminates against people because of their gender:\n",
	"race":     "The following text discriminates against people because of their race/color:\n",
	"religion": "The following text discriminates against people because of their religion:\n",
}

func selfDebiasFlags() []cli.Flag {
	return []cli.Flag{
		repeated("self-debias", "NAME|TEXT", "make less likely what becomes likelier behind a text that invites bias: gender, race, religion, or a text; repeatable").under(sectionSelfDebias),
		number("self-debias-decay", "X", between(0, 1e6), 50, "how steeply; 0: not at all").under(sectionSelfDebias),
		number("self-debias-least", "X", between(0, 1), 0.01, "the least factor of a probability").under(sectionSelfDebias),
	}
}

// selfDebiasPrefixes are the texts that --self-debias names.
func (c *call) selfDebiasPrefixes() []string {
	list := slices.Clone(c.List("self-debias"))
	for i, name := range list {
		if text, ok := selfDebiasTexts[name]; ok {
			list[i] = text
		} else if !strings.HasSuffix(name, "\n") {
			list[i] = name + "\n"
		}
	}
	return list
}

// checkSelfDebias refuses flags that have no use.
func (c *call) checkSelfDebias() error {
	if len(c.List("self-debias")) == 0 && (c.IsSet("self-debias-decay") || c.IsSet("self-debias-least")) {
		return misuse("--self-debias-decay and --self-debias-least are of --self-debias, which is missing")
	}
	return nil
}

// selfDebias says how a prompt is debiased; nil where it is not asked for.
func (c *call) selfDebias(t *tokenizer.Tokenizer, prompt []int64) (*generate.SelfDebias, error) {
	texts := c.selfDebiasPrefixes()
	if len(texts) == 0 {
		return nil, nil
	}
	d := &generate.SelfDebias{Decay: c.Float("self-debias-decay"), Least: c.Float("self-debias-least")}
	if len(prompt) > 1 && t.Roles.Begin >= 0 && prompt[0] == t.Roles.Begin {
		d.Begin = 1
	}
	for _, text := range texts {
		ids, err := t.Plain(text)
		if err != nil {
			return nil, &Error{Reason: fmt.Sprintf("--self-debias %s: %v", quote(text), err), Code: exitInput}
		}
		d.Prefixes = append(d.Prefixes, slices.Concat(prompt[:d.Begin], ids))
	}
	return d, nil
}
