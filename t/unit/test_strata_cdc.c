/*
 * Copyright (C) Strata contributors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * with: src/rfc/strata_json.c src/rfc/strata_json_text.c
 *       src/base/strata_str.c
 */

/* Messages as the tools' manuals show them. */

#include "rfc/strata_cdc.c"
#include "rfc_test.h"


#define D  STRATA_CDC_DEBEZIUM
#define M  STRATA_CDC_MAXWELL
#define C  STRATA_CDC_CANAL


typedef struct {
    strata_cdc_format_e  format;
    const char          *what;
    const char          *text;
    const char          *got;      /* with template t:{.name}:{id}:{c} */
} message_t;


static const message_t  messages[] = {
    { D, "Debezium, MySQL, update, in its envelope",
      "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\","
      "\"optional\":false,\"field\":\"id\"}],\"optional\":false,\"name\":"
      "\"mysql-server-1.inventory.customers.Envelope\"},\"payload\":{"
      "\"before\":{\"id\":1004,\"c\":\"Anne\",\"last_name\":\"Kretchmar\","
      "\"email\":\"annek@noanswer.org\"},\"after\":{\"id\":1004,"
      "\"c\":\"Anne Marie\",\"last_name\":\"Kretchmar\",\"email\":"
      "\"annek@noanswer.org\"},\"source\":{\"version\":\"2.7.0.Final\","
      "\"name\":\"mysql-server-1\",\"connector\":\"mysql\",\"ts_ms\":"
      "1465581029100,\"snapshot\":false,\"db\":\"inventory\",\"table\":"
      "\"customers\",\"server_id\":223344,\"gtid\":null,\"file\":"
      "\"mysql-bin.000003\",\"pos\":484,\"row\":0,\"thread\":7},\"op\":\"u\","
      "\"ts_ms\":1465581029523}}",
      "t:customers:1004:Anne Marie t:customers:1004:Anne" },
    { D, "Debezium, PostgreSQL, delete",
      "{\"before\":{\"id\":1,\"c\":null},\"after\":null,\"source\":{"
      "\"connector\":\"postgresql\",\"db\":\"postgres\",\"schema\":\"public\","
      "\"table\":\"customers\",\"txId\":556,\"lsn\":46523128,\"xmin\":null},"
      "\"op\":\"d\",\"ts_ms\":1559033904961}",
      "-" },
    { D, "Debezium, create",
      "{\"before\":null,\"after\":{\"id\":7,\"c\":true},\"source\":{\"db\":"
      "\"d\",\"table\":\"t\"},\"op\":\"c\"}",
      "t:t:7:true" },
    { D, "Debezium, snapshot",
      "{\"before\":null,\"after\":{\"id\":7,\"c\":1.50},\"source\":{\"db\":"
      "\"d\",\"table\":\"t\"},\"op\":\"r\"}",
      "t:t:7:1.5" },
    { D, "Debezium, truncate",
      "{\"source\":{\"db\":\"d\",\"schema\":\"s\",\"table\":\"t\"},"
      "\"op\":\"t\",\"ts_ms\":1559033904961}",
      "-" },
    { D, "Debezium, MongoDB, a row that is text",
      "{\"before\":null,\"after\":\"{\\\"_id\\\":7}\",\"source\":{\"db\":\"d\","
      "\"collection\":\"t\"},\"op\":\"u\"}",
      "-" },
    { D, "Debezium, a delete of what is not told",
      "{\"before\":null,\"after\":null,\"source\":{\"db\":\"d\",\"table\":"
      "\"t\"},\"op\":\"d\"}",
      "-" },
    { D, "Debezium, a value that was not told",
      "{\"before\":null,\"after\":{\"id\":7,\"c\":"
      "\"__debezium_unavailable_value\"},\"source\":{\"db\":\"d\",\"table\":"
      "\"t\"},\"op\":\"u\"}",
      "-" },
    { D, "Debezium, numbers that no double holds",
      "{\"before\":{\"id\":9007199254740993,\"c\":-9223372036854775808},"
      "\"after\":{\"id\":18446744073709551615,\"c\":"
      "123456789012345678901234567890.5},\"source\":{\"db\":\"d\",\"table\":"
      "\"t\"},\"op\":\"u\"}",
      "t:t:18446744073709551615:123456789012345678901234567890.5 "
      "t:t:9007199254740993:-9223372036854775808" },
    { D, "Debezium, update of the key, letters of other scripts",
      "{\"before\":{\"id\":\"\\u00fc\",\"c\":\"\\ud83d\\ude00\"},\"after\":"
      "{\"id\":\"\xe4\xb8\x96\",\"c\":\"\"},\"source\":{\"db\":\"d\","
      "\"table\":\"t\"},\"op\":\"u\"}",
      "t:t:\xe4\xb8\x96: t:t:\xc3\xbc:\xf0\x9f\x98\x80" },
    { D, "Debezium, MongoDB",
      "{\"before\":null,\"after\":{\"id\":7,\"c\":\"x\"},\"source\":{\"db\":"
      "\"d\",\"collection\":\"t\"},\"op\":\"c\"}",
      "t:t:7:x" },
    { D, "Debezium, tombstone", "null", "" },
    { D, "Debezium, tombstone in an envelope",
      "{\"schema\":null,\"payload\":null}", "" },
    { D, "Debezium, begin of a transaction",
      "{\"status\":\"BEGIN\",\"id\":\"571:53195829\",\"ts_ms\":1486500577125,"
      "\"event_count\":null,\"data_collections\":null}", "" },
    { D, "Debezium, heartbeat", "{\"ts_ms\":1559033904961}", "" },
    { D, "Debezium, message",
      "{\"source\":{\"db\":\"d\",\"table\":\"\"},\"op\":\"m\"}", "" },
    { D, "no op", "{\"after\":{\"id\":1}}", NULL },
    { D, "an op of another kind",
      "{\"op\":\"x\",\"source\":{\"table\":\"t\"},\"after\":{}}", NULL },
    { D, "op is a number",
      "{\"op\":1,\"source\":{\"table\":\"t\"},\"after\":{}}", NULL },
    { D, "no source", "{\"op\":\"c\",\"after\":{\"id\":1}}", NULL },
    { D, "no row",
      "{\"op\":\"c\",\"source\":{\"table\":\"t\"},\"after\":null}", NULL },
    { D, "a row that is a list",
      "{\"op\":\"c\",\"source\":{\"table\":\"t\"},\"after\":[]}", NULL },
    { D, "a Maxwell message",
      "{\"database\":\"test\",\"table\":\"e\",\"type\":\"insert\","
      "\"data\":{\"id\":1}}", NULL },
    { D, "an array", "[]", NULL },
    { D, "a number", "1", NULL },

    { M, "Maxwell, insert",
      "{\"database\":\"test\",\"table\":\"maxwell\",\"type\":\"insert\","
      "\"ts\":1449786310,\"xid\":940752,\"commit\":true,\"data\":{\"id\":1,"
      "\"c\":\"Stanislaw Lem\"}}",
      "t:maxwell:1:Stanislaw Lem" },
    { M, "Maxwell, update",
      "{\"database\":\"test\",\"table\":\"maxwell\",\"type\":\"update\","
      "\"ts\":1449786341,\"xid\":940786,\"commit\":true,\"data\":{\"id\":1,"
      "\"c\":\"Roadside Picnic\"},\"old\":{\"c\":\"Solaris\"}}",
      "t:maxwell:1:Roadside Picnic t:maxwell:1:Solaris" },
    { M, "Maxwell, update of the key",
      "{\"database\":\"d\",\"table\":\"t\",\"type\":\"update\",\"data\":{"
      "\"id\":2,\"c\":\"x\"},\"old\":{\"id\":1}}",
      "t:t:2:x t:t:1:x" },
    { M, "Maxwell, numbers that no double holds",
      "{\"database\":\"d\",\"table\":\"t\",\"type\":\"update\",\"data\":{"
      "\"id\":9007199254740993,\"c\":1e400},\"old\":{\"id\":"
      "9007199254740995}}",
      "t:t:9007199254740993:1e400 t:t:9007199254740995:1e400" },
    { M, "Maxwell, delete",
      "{\"database\":\"d\",\"table\":\"t\",\"type\":\"delete\",\"data\":{"
      "\"id\":2,\"c\":\"x\"}}",
      "t:t:2:x" },
    { M, "Maxwell, bootstrap",
      "{\"database\":\"d\",\"table\":\"t\",\"type\":\"bootstrap-start\","
      "\"data\":{}}", "" },
    { M, "Maxwell, a row of a bootstrap",
      "{\"database\":\"d\",\"table\":\"t\",\"type\":\"bootstrap-insert\","
      "\"data\":{\"id\":2,\"c\":\"x\"}}", "t:t:2:x" },
    { M, "Maxwell, DDL",
      "{\"type\":\"table-alter\",\"database\":\"d\",\"table\":\"t\",\"old\":{"
      "\"database\":\"d\",\"columns\":[]},\"def\":{}}", "-" },
    { M, "Maxwell, a database",
      "{\"type\":\"database-create\",\"database\":\"d\"}", "" },
    { M, "no data", "{\"database\":\"d\",\"table\":\"t\",\"type\":\"insert\"}",
      NULL },
    { M, "no table", "{\"type\":\"insert\",\"data\":{\"id\":1}}", NULL },
    { M, "no type", "{\"database\":\"d\",\"table\":\"t\",\"data\":{}}", NULL },

    { C, "Canal, two rows, one of them changed",
      "{\"data\":[{\"id\":\"102\",\"c\":\"car battery\"},{\"id\":\"103\","
      "\"c\":\"drill\"}],\"database\":\"inventory\",\"es\":1589373515000,"
      "\"id\":3,\"isDdl\":false,\"mysqlType\":{\"id\":\"INTEGER\"},"
      "\"old\":[{\"c\":\"battery\"},null],\"pkNames\":[\"id\"],\"sql\":\"\","
      "\"sqlType\":{\"id\":4},\"table\":\"products\",\"ts\":1589373515477,"
      "\"type\":\"UPDATE\"}",
      "t:products:102:car battery t:products:102:battery "
      "t:products:103:drill" },
    { C, "Canal, insert",
      "{\"data\":[{\"id\":\"1\",\"c\":\"x\"}],\"database\":\"d\",\"isDdl\":"
      "false,\"old\":null,\"table\":\"t\",\"type\":\"INSERT\"}",
      "t:t:1:x" },
    { C, "Canal, DDL",
      "{\"data\":null,\"database\":\"d\",\"isDdl\":true,\"old\":null,"
      "\"sql\":\"truncate table t\",\"table\":\"t\",\"type\":\"TRUNCATE\"}",
      "-" },
    { C, "Canal, no data",
      "{\"data\":null,\"database\":\"d\",\"isDdl\":false,\"table\":\"t\","
      "\"type\":\"UPDATE\"}", NULL },
    { C, "Canal, rows that are none",
      "{\"data\":[1,null,{\"id\":1,\"c\":2}],\"database\":\"d\",\"table\":"
      "\"t\",\"type\":\"UPDATE\"}", "t:t:1:2" },
};


static strata_json_work_t  work;
static uint8_t             form[65536], spare[65536];


static void
test_messages(void)
{
    int               rc;
    char              got[1024];
    size_t            i, n;
    uint8_t           buf[256];
    strata_str_t      json, text;
    strata_cdc_t      c;
    strata_cdc_row_t  row;

    for (i = 0; i < rows(messages); i++) {
        is(strata_json_canonical(str(messages[i].text), form, spare, &work,
                                 &json),
           STRATA_OK, "%s", messages[i].what);

        rc = strata_cdc_start(&c, messages[i].format, json);

        if (messages[i].got == NULL) {
            is(rc, STRATA_ERROR, "is refused");
            ok(c.reason != NULL, "with a reason");
            continue;
        }

        if (messages[i].got[0] == '\0') {
            is(rc, STRATA_DECLINED, "is nothing");
            continue;
        }

        is(rc, STRATA_OK, "is a change");

        got[0] = '\0';
        n = 0;

        while (strata_cdc_next(&c, &row)) {
            if (strata_cdc_expand(str("t:{.name}:{id}:{c}"), &row, buf,
                                  sizeof(buf), &text)
                != STRATA_OK)
            {
                text = str("-");
            }

            n += (size_t) snprintf(got + n, sizeof(got) - n, "%s%.*s",
                                   n ? " " : "", (int) text.len,
                                   (const char *) text.data);
        }

        is_str(str(got), messages[i].got, "of these rows");
        ok(!strata_cdc_next(&c, &row), "and no more");
    }
}


static void
test_tables(void)
{
    size_t            i;
    strata_cdc_row_t  row;

    static const struct {
        const char  *name;
        bool         is;
    } names[] = {
        { "t", true }, { "d.t", true }, { "s.t", true }, { "d.s.t", true },
        { "*", true }, { "*.t", true }, { "d.*", true }, { "*.*.*", true },
        { "d.s.*", true }, { "T", false }, { "x", false }, { "x.t", false },
        { "d.x", false }, { "s.d.t", false }, { "d.s.t.u", false },
        { "", false }, { ".t", false }, { "d.s.", false },
    };

    memset(&row, 0, sizeof(row));
    row.database = str("d");
    row.schema = str("s");
    row.table = str("t");

    for (i = 0; i < rows(names); i++) {
        is(strata_cdc_is(&row, str(names[i].name)), names[i].is,
           "d.s.t as '%s'", names[i].name);
    }

    row.schema.len = 0;
    ok(!strata_cdc_is(&row, str("s.t")), "without a schema");
    ok(strata_cdc_is(&row, str("d.t")), "by its database");
}


static void
test_templates(void)
{
    size_t            i;
    uint8_t           buf[64];
    strata_str_t      text;
    strata_cdc_row_t  row;

    static const struct {
        const char  *template;
        const char  *text;         /* NULL: declined */
    } templates[] = {
        { "", "" }, { "a", "a" }, { "{id}", "7" }, { "a{id}b{id}", "a7b7" },
        { "{.name}:{id}", "t:7" }, { "{e}", "a\n\"\xc3\xa9" },
        { "{old}", "2" }, { "{both}", "1" }, { "{n}", NULL },
        { "{none}", NULL }, { "{list}", NULL }, { "{object}", NULL },
        { "{yes}", "true" }, { "{empty}", "" }, { "{id", NULL },
    };

    static const struct {
        const char  *template;
        const char  *wrong;
    } bad[] = {
        { "a", NULL }, { "{id}", NULL }, { "a{b}{.name}", NULL },
        { "{", "'{' without '}'" }, { "a}", "'}' without '{'" },
        { "{}", "no column between '{' and '}'" },
        { "{a{b}}", "'{' in a column" },
        { "{.names}", "unknown name that begins with a dot" },
        { "{.}", "unknown name that begins with a dot" },
    };

    memset(&row, 0, sizeof(row));
    row.table = str("t");
    row.row = str("{\"both\":1,\"e\":\"a\\n\\\"\xc3\xa9\",\"empty\":\"\","
                  "\"id\":7,\"list\":[1],\"n\":null,\"object\":{\"a\":1},"
                  "\"yes\":true}");
    row.base = str("{\"both\":3,\"old\":2}");

    for (i = 0; i < rows(templates); i++) {
        is(strata_cdc_expand(str(templates[i].template), &row, buf,
                             sizeof(buf), &text),
           templates[i].text ? STRATA_OK : STRATA_DECLINED, "template '%s'",
           templates[i].template);

        if (templates[i].text) {
            is_str(text, templates[i].text, "is");
        }
    }

    is(strata_cdc_expand(str("abc{id}"), &row, buf, 4, &text), STRATA_OK,
       "just fits");
    is(strata_cdc_expand(str("abc{id}"), &row, buf, 3, &text),
       STRATA_DECLINED, "does not fit");
    is(strata_cdc_expand(str("abc{id}"), &row, buf, 2, &text),
       STRATA_DECLINED, "nor does what comes before");

    for (i = 0; i < rows(bad); i++) {
        ok(bad[i].wrong ? strata_cdc_wrong(str(bad[i].template)) != NULL
                          && strcmp(strata_cdc_wrong(str(bad[i].template)),
                                    bad[i].wrong) == 0
                        : strata_cdc_wrong(str(bad[i].template)) == NULL,
           "'%s': %s", bad[i].template, bad[i].wrong ? bad[i].wrong : "good");
    }
}


int
main(void)
{
    test_messages();
    test_tables();
    test_templates();

    return test_done();
}
