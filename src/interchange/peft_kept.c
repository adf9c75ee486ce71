/*
 * peft_kept.c
 *	  What configurations agree in.  See peft_kept.h.
 *
 * SPDX-License-Identifier: PostgreSQL
 */
#include "interchange/peft_kept.h"

#include <stdlib.h>
#include <string.h>

#include "interchange/config_write.h"
#include "interchange/peft_members.h"

#define VERSION "peft_version"
#define MAPPING "auto_mapping"

PaStatus
pa_peft_kept_begin(PaEnv *env, PaKept *kept)
{
	*kept = (PaKept) {.members = pa_json_object()};
	return pa_json_own(env, kept->members);
}

/* By its numbers, as 0.9 and 0.21.2.dev0; the same numbers: as text. */
static int
compare_versions(const char *a, const char *b)
{
	const char *x = a;
	const char *y = b;

	while (*x >= '0' && *x <= '9' && *y >= '0' && *y <= '9')
	{
		char	   *x_end;
		char	   *y_end;
		unsigned long i = strtoul(x, &x_end, 10);
		unsigned long j = strtoul(y, &y_end, 10);

		if (i != j)
			return i < j ? -1 : 1;
		x = x_end + (*x_end == '.');
		y = y_end + (*y_end == '.');
	}
	return strcmp(a, b);
}

static PaStatus
keep_version(PaEnv *env, PaKept *kept, const json_t *root)
{
	json_t	   *version = json_object_get(root, VERSION);
	const char *newest = json_string_value(json_object_get(kept->members, VERSION));

	if (!json_is_string(version) ||
		(newest != NULL && compare_versions(json_string_value(version), newest) <= 0))
		return PA_OK;
	return pa_config_set(env, kept->members, VERSION, json_incref(version));
}

/* What the others have to agree with. */
static PaStatus
take_first(PaEnv *env, PaKept *kept, PaKind kind, json_t *root)
{
	const char *name;
	json_t	   *value;

	json_object_foreach(root, name, value)
	{
		PA_TRY(pa_check_cancel(env));
		if (pa_peft_member(pa_peft_dialect(kind), name, value) == PA_MEMBER_SET ||
			(strcmp(name, MAPPING) == 0 && json_is_object(value)))
			PA_TRY(pa_config_set(env, kept->members, name, json_incref(value)));
	}
	return PA_OK;
}

static PaStatus
drop_differing(PaEnv *env, PaKept *kept, const json_t *root)
{
	const char *name;
	json_t	   *value;
	void	   *next;

	json_object_foreach_safe(kept->members, next, name, value)
	{
		PA_TRY(pa_check_cancel(env));
		if (strcmp(name, VERSION) != 0 && !json_equal(value, json_object_get(root, name)))
			(void) json_object_del(kept->members, name);
	}
	return PA_OK;
}

PaStatus
pa_peft_kept_add(PaEnv *env, PaKept *kept, PaKind kind, PaText config)
{
	json_t	   *root = NULL;
	PaStatus	status = pa_json_load(env, config, "adapter configuration", &root);

	if (status == PA_OK)
		status = kept->begun ? drop_differing(env, kept, root) : take_first(env, kept, kind, root);
	if (status == PA_OK)
		status = keep_version(env, kept, root);
	json_decref(root);
	kept->begun = true;
	return status;
}

PaStatus
pa_peft_kept_write(PaEnv *env, PaText members, json_t *root)
{
	json_t	   *kept;

	PA_TRY(pa_json_parse(env, members, "kept members", &kept));
	if (json_object_update_missing(root, kept) != 0)
		return pa_fail(env, PA_ERR_NOMEM, "out of memory");
	return PA_OK;
}
