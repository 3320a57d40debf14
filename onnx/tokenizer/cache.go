package tokenizer

import "sync"

const (
	cachedBytes = 64      // a longer piece is not kept
	cachedWords = 1 << 15 // how many are; a full cache stays as it is
)

// cache keeps the tokens of words.
type cache struct {
	mu    sync.RWMutex
	words map[string][]int32
}

func (c *cache) get(word string) ([]int32, bool) {
	c.mu.RLock()
	ids, ok := c.words[word]
	c.mu.RUnlock()
	return ids, ok
}

func (c *cache) put(word string, ids []int32) {
	c.mu.Lock()
	if c.words == nil {
		c.words = map[string][]int32{}
	}
	if len(c.words) < cachedWords {
		c.words[string([]byte(word))] = ids // a word of its own, not a part of a whole text
	}
	c.mu.Unlock()
}
