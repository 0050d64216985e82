package account

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestLRUDropsTheOneNotUsedForLongest(t *testing.T) {
	t.Parallel()
	l := newLRU[string, int](2)
	*l.put("a") = 1
	*l.put("b") = 2
	if v := l.get("a"); v == nil || *v != 1 {
		t.Fatalf("a = %v, want 1", v)
	}
	*l.put("c") = 3
	if l.get("b") != nil {
		t.Error("b is still there, though a was used later")
	}
	if v := l.get("a"); v == nil || *v != 1 {
		t.Errorf("a = %v, want 1", v)
	}
	if v := l.put("b"); *v != 0 {
		t.Errorf("b came back with its old value %d", *v)
	}
}

// The model is a slice, newest first.
func TestLRUModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		l := newLRU[int, int](limit)
		type entry struct{ k, v int }
		var model []entry
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			k := rapid.IntRange(0, 8).Draw(t, "key")
			i := slices.IndexFunc(model, func(e entry) bool { return e.k == k })
			if rapid.Bool().Draw(t, "put") {
				v := rapid.Int().Draw(t, "value")
				*l.put(k) = v
				if i >= 0 {
					model = slices.Delete(model, i, i+1)
				}
				model = slices.Insert(model, 0, entry{k, v})
				model = model[:min(len(model), limit)]
			} else {
				got := l.get(k)
				if (got != nil) != (i >= 0) {
					t.Fatalf("get(%d) = %v, model %v", k, got, model)
				}
				if i >= 0 {
					e := model[i]
					if *got != e.v {
						t.Fatalf("get(%d) = %d, want %d", k, *got, e.v)
					}
					model = slices.Insert(slices.Delete(model, i, i+1), 0, e)
				}
			}
			if l.len() != len(model) || len(l.slots) > limit+1 {
				t.Fatalf("holds %d in %d slots, want %d", l.len(), len(l.slots), len(model))
			}
		}
	})
}
